//! Known-future calendar: holidays by country, Patch Tuesday, quarter end, business hours, campaigns, DST-correct local time.
