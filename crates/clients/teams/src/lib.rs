//! Microsoft Teams notices through Workflows webhooks and Adaptive Cards.
