//! What an operator can do about an AADSTS code.
//!
//! Source of the codes: Microsoft's list "Microsoft Entra authentication and authorization error
//! codes" and what the token endpoint is known to answer to applications.

/// A code and what to do about it.
struct Hint {
    code: u64,
    advice: &'static str,
}

const fn hint(code: u64, advice: &'static str) -> Hint {
    Hint { code, advice }
}

/// Sorted by code.
const HINTS: [Hint; 36] = [
    hint(
        50_013,
        "the assertion is not valid: compare its audience with the authority, and this machine's clock with the true time",
    ),
    hint(
        50_027,
        "the assertion is no valid token: look at the certificate file or the federated token file",
    ),
    hint(
        50_034,
        "the user does not exist in this tenant: use an application's identity",
    ),
    hint(
        50_049,
        "the tenant's host is unknown: check authority and cloud",
    ),
    hint(
        50_059,
        "the request names no tenant: set tenant to a directory id",
    ),
    hint(
        50_105,
        "the application is not assigned to a role: assign it in Enterprise applications",
    ),
    hint(
        50_146,
        "the application needs its own signing key: contact the tenant's administrator",
    ),
    hint(
        53_003,
        "a Conditional Access policy blocks the workload identity: exclude it, or allow this machine's address",
    ),
    hint(
        65_001,
        "consent is missing: let an administrator consent to the application's permissions",
    ),
    hint(
        70_011,
        "the audience is not valid: check audience and cloud",
    ),
    hint(
        70_021,
        "no federated credential fits: compare issuer, subject and audience with the service account; a new one takes some minutes",
    ),
    hint(
        70_025,
        "the application has no federated credential: add one for this service account",
    ),
    hint(
        90_002,
        "the tenant does not exist in this cloud: check tenant and authority",
    ),
    hint(
        90_014,
        "the request lacks a field: check that tenant, client_id and the secret are not empty",
    ),
    hint(
        90_051,
        "the federation between the clouds is not valid: check authority and cloud",
    ),
    hint(
        500_011,
        "the audience has no service principal in this tenant: check audience and cloud",
    ),
    hint(
        500_341,
        "the account was deleted: make a new application or restore it",
    ),
    hint(
        501_051,
        "the application is not assigned to a role of the audience: assign it",
    ),
    hint(
        530_031,
        "an access policy does not allow the token: ask the tenant's administrator",
    ),
    hint(
        700_016,
        "the application is not in this tenant: check client_id and tenant",
    ),
    hint(
        700_021,
        "the assertion names another application: check client_id",
    ),
    hint(
        700_023,
        "the assertion is for another audience: check authority and tenant",
    ),
    hint(
        700_024,
        "the assertion is not valid at this time: set this machine's clock, and see that the token file is renewed",
    ),
    hint(
        700_027,
        "the certificate is not accepted: register this very certificate with the application, and check that it has not expired",
    ),
    hint(
        700_030,
        "the certificate is not valid: check its dates and its subject",
    ),
    hint(
        700_211,
        "no federated credential has this issuer: set it to the cluster's OIDC issuer URL, letter by letter",
    ),
    hint(
        700_212,
        "no federated credential has this audience: set it to api://AzureADTokenExchange",
    ),
    hint(
        700_213,
        "no federated credential has this subject: set it to system:serviceaccount:<namespace>:<service account>; a new one takes some minutes",
    ),
    hint(
        900_023,
        "the tenant is neither a directory id nor a domain: check tenant",
    ),
    hint(
        900_144,
        "the request lacks a field: check that tenant, client_id and the secret are not empty",
    ),
    hint(
        900_382,
        "the application belongs to another cloud: check cloud and authority",
    ),
    hint(
        1_002_012,
        "the audience is not valid: check audience and cloud",
    ),
    hint(
        7_000_112,
        "the application is disabled: enable it, or let an administrator do so",
    ),
    hint(
        7_000_215,
        "the client secret is wrong: give the secret's value, not its id",
    ),
    hint(
        7_000_222,
        "the client secret has expired: make a new one and restart",
    ),
    hint(
        7_000_229,
        "the application has no service principal in this tenant: create it, or check tenant",
    ),
];

/// What is said about a code that has no advice of its own.
pub(crate) const NO_ADVICE: &str =
    "check tenant, client_id, the secret or certificate, and the audience";

/// What the operator can do; general advice for a code that is not in the table.
pub(crate) fn advice(code: Option<u64>) -> &'static str {
    code.and_then(|code| {
        let at = HINTS.binary_search_by_key(&code, |hint| hint.code).ok()?;
        Some(HINTS[at].advice)
    })
    .unwrap_or(NO_ADVICE)
}

/// Codes by which Entra ID says that it is at fault itself, whatever the status.
pub(crate) fn is_transient(code: Option<u64>) -> bool {
    matches!(code, Some(90_006 | 90_033 | 90_041 | 50_196))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_found_and_its_advice_tells_what_to_do() {
        assert!(HINTS.is_sorted_by(|one, other| one.code < other.code));
        for entry in &HINTS {
            assert_eq!(advice(Some(entry.code)), entry.advice);
            let (_, action) = entry
                .advice
                .split_once(": ")
                .expect("what is wrong, then what to do");
            assert!(
                !action.is_empty() && !entry.advice.ends_with('.'),
                "{}",
                entry.code
            );
            assert!(!is_transient(Some(entry.code)));
        }
    }

    #[test]
    fn the_advice_fits_the_code() {
        for (code, word) in [
            (7_000_215, "secret's value"),
            (7_000_222, "expired"),
            (700_016, "client_id and tenant"),
            (70_025, "add one"),
            (70_021, "issuer, subject and audience"),
            (700_211, "OIDC issuer"),
            (700_212, "api://AzureADTokenExchange"),
            (700_213, "system:serviceaccount"),
            (700_024, "clock"),
            (700_027, "register"),
            (90_002, "tenant and authority"),
            (500_011, "audience"),
            (53_003, "Conditional Access"),
            (50_034, "user"),
        ] {
            assert!(advice(Some(code)).contains(word), "{code}");
        }
        assert_eq!(advice(Some(1)), NO_ADVICE);
        assert_eq!(advice(None), NO_ADVICE);
    }
}
