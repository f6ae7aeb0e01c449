//! What can happen at Contoso.

/// Something that raises alerts.
pub(crate) struct Product {
    pub(crate) name: &'static str,
    /// Share of all incidents.
    pub(crate) share: f64,
    pub(crate) rules: &'static [Rule],
}

/// A kind of alert: title, tactics and technique.
pub(crate) struct Rule {
    pub(crate) title: &'static str,
    pub(crate) tactics: &'static [&'static str],
    pub(crate) technique: &'static str,
    /// Shares of High, Medium, Low and Informational.
    pub(crate) severities: [f64; 4],
}

pub(crate) const SEVERITIES: [&str; 4] = ["High", "Medium", "Low", "Informational"];

const SEVERE: [f64; 4] = [0.40, 0.40, 0.15, 0.05];
const USUAL: [f64; 4] = [0.12, 0.43, 0.35, 0.10];
const MILD: [f64; 4] = [0.03, 0.22, 0.50, 0.25];

pub(crate) const PRODUCTS: [Product; 5] = [
    Product {
        name: "Azure Sentinel",
        share: 0.34,
        rules: &[
            Rule {
                title: "Sign-ins from an unfamiliar country (synthetic)",
                tactics: &["InitialAccess"],
                technique: "T1078",
                severities: USUAL,
            },
            Rule {
                title: "Brute force against a cloud application (synthetic)",
                tactics: &["CredentialAccess"],
                technique: "T1110",
                severities: USUAL,
            },
            Rule {
                title: "Mass download from SharePoint (synthetic)",
                tactics: &["Exfiltration", "Collection"],
                technique: "T1530",
                severities: SEVERE,
            },
            Rule {
                title: "Rare scheduled task created (synthetic)",
                tactics: &["Persistence"],
                technique: "T1053",
                severities: MILD,
            },
        ],
    },
    Product {
        name: "Microsoft Defender for Endpoint",
        share: 0.27,
        rules: &[
            Rule {
                title: "Suspicious PowerShell command line (synthetic)",
                tactics: &["Execution"],
                technique: "T1059",
                severities: USUAL,
            },
            Rule {
                title: "Credential dumping tool prevented (synthetic)",
                tactics: &["CredentialAccess"],
                technique: "T1003",
                severities: SEVERE,
            },
            Rule {
                title: "Unwanted software found (synthetic)",
                tactics: &["Execution"],
                technique: "T1204",
                severities: MILD,
            },
            Rule {
                title: "Possible lateral movement (synthetic)",
                tactics: &["LateralMovement", "Discovery"],
                technique: "T1021",
                severities: SEVERE,
            },
        ],
    },
    Product {
        name: "Microsoft Defender for Office 365",
        share: 0.19,
        rules: &[
            Rule {
                title: "E-mail reported by a user as phishing (synthetic)",
                tactics: &["InitialAccess"],
                technique: "T1566",
                severities: MILD,
            },
            Rule {
                title: "Malicious URL clicked (synthetic)",
                tactics: &["InitialAccess"],
                technique: "T1566",
                severities: SEVERE,
            },
            Rule {
                title: "Forwarding rule to outside (synthetic)",
                tactics: &["Collection", "Exfiltration"],
                technique: "T1114",
                severities: USUAL,
            },
        ],
    },
    Product {
        name: "Azure Active Directory Identity Protection",
        share: 0.13,
        rules: &[
            Rule {
                title: "Password spray (synthetic)",
                tactics: &["CredentialAccess"],
                technique: "T1110",
                severities: SEVERE,
            },
            Rule {
                title: "Atypical travel (synthetic)",
                tactics: &["InitialAccess"],
                technique: "T1078",
                severities: MILD,
            },
            Rule {
                title: "Anonymous IP address (synthetic)",
                tactics: &["InitialAccess", "DefenseEvasion"],
                technique: "T1090",
                severities: USUAL,
            },
        ],
    },
    Product {
        name: "Microsoft Defender for Cloud",
        share: 0.07,
        rules: &[
            Rule {
                title: "Access from a suspicious address to storage (synthetic)",
                tactics: &["Collection"],
                technique: "T1530",
                severities: USUAL,
            },
            Rule {
                title: "Possible crypto miner in a cluster (synthetic)",
                tactics: &["Impact"],
                technique: "T1496",
                severities: SEVERE,
            },
        ],
    },
];
