//! A seeded synthetic Sentinel workspace (Contoso) with seasons, holidays, campaigns and late rows.
