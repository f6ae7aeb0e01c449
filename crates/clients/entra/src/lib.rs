//! Microsoft Entra ID tokens for Azure calls.
