"""Microsoft's own clients against the emulator: what they do in Azure they do here.

Run with one argument, a JSON file that says where the emulator is and who may do what. Each story
prints a line; the first that fails ends the run with its traceback.
"""

import datetime
import io
import json
import os
import pathlib
import sys
import time
import urllib.request
import uuid

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
    ServiceResponseError,
)
from azure.identity import (
    CertificateCredential,
    ClientSecretCredential,
    CredentialUnavailableError,
    DefaultAzureCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight import models as sentinel
from azure.monitor.ingestion import LogsIngestionClient
from azure.monitor.query import (
    LogsBatchQuery,
    LogsQueryClient,
    LogsQueryError,
    LogsQueryPartialResult,
    LogsQueryResult,
)

WORLD = json.loads(pathlib.Path(sys.argv[1]).read_text())
HTTPS = WORLD["https"]
TENANT = WORLD["tenant"]
CLIENT = WORLD["client_id"]
FOLDER = pathlib.Path(WORLD["folder"])
MONITOR = "https://monitor.azure.com/.default"
LOGS = "https://api.loganalytics.io"
STREAM = WORLD["stream"]
TABLE = WORLD["table"]
RULE = WORLD["rule"]
WORKSPACE = WORLD["workspace"]

# the authority is a private one, as in Azure Stack
PRIVATE = {"authority": HTTPS, "disable_instance_discovery": True}


def control(method, path, body=None):
    """Speaks to the emulator itself."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(WORLD["http"] + path, data, method=method)
    with urllib.request.urlopen(request) as answer:
        text = answer.read()
        return json.loads(text) if text else None


def fault(path_prefix, action, times=1):
    control(
        "POST",
        "/_emulator/faults",
        {"match": {"path_prefix": path_prefix}, "times": times, "action": action},
    )


def secret_credential(**changes):
    given = {"tenant_id": TENANT, "client_id": CLIENT, "client_secret": WORLD["client_secret"]}
    return ClientSecretCredential(**{**given, **PRIVATE, **changes})


def refused(error_type, act, *wanted):
    """The error that `act` ends with; its text holds everything that is wanted."""
    try:
        act()
    except error_type as error:
        for text in wanted:
            assert text in str(error), f"{text!r} is not in {error}"
        return error
    raise AssertionError(f"nothing was refused, {error_type.__name__} was expected")


def a_client_secret():
    token = secret_credential().get_token(MONITOR)
    assert 3500 < token.expires_on - time.time() <= 3600
    refused(
        ClientAuthenticationError,
        lambda: secret_credential(client_secret="wrong").get_token(MONITOR),
        "AADSTS7000215",
    )
    refused(
        ClientAuthenticationError,
        lambda: secret_credential(client_id=WORLD["expired_client_id"]).get_token(MONITOR),
        "AADSTS7000222",
    )
    refused(
        ClientAuthenticationError,
        lambda: secret_credential(client_id=str(uuid.uuid4())).get_token(MONITOR),
        "AADSTS700016",
    )
    refused(
        ClientAuthenticationError,
        lambda: secret_credential(tenant_id=str(uuid.uuid4())).get_token(MONITOR),
        "Unable to get authority configuration",
    )
    refused(
        ClientAuthenticationError,
        lambda: secret_credential().get_token("https://monitor.azure.com"),
        "AADSTS1002012",
    )


def a_certificate():
    def credential(**changes):
        given = {"tenant_id": TENANT, "client_id": CLIENT}
        given["certificate_path"] = str(FOLDER / "identity.pem")
        return CertificateCredential(**{**given, **PRIVATE, **changes})

    assert credential().get_token(MONITOR).token
    assert credential(send_certificate_chain=True).get_token(MONITOR).token
    refused(
        ClientAuthenticationError,
        lambda: credential(certificate_path=str(FOLDER / "other" / "identity.pem")).get_token(MONITOR),
        "AADSTS700027",
    )
    refused(
        ClientAuthenticationError,
        lambda: credential(client_id=WORLD["expired_client_id"]).get_token(MONITOR),
        "AADSTS700027",
    )


def service_account(subject, expires_in_seconds=3600):
    request = {
        "issuer": WORLD["issuer"],
        "subject": subject,
        "expires_in_seconds": expires_in_seconds,
    }
    return control("POST", "/_emulator/service-account-token", request)["token"]


def a_workload_identity():
    file = FOLDER / "azure-identity-token"

    def token():
        credential = WorkloadIdentityCredential(
            tenant_id=TENANT, client_id=CLIENT, token_file_path=str(file), **PRIVATE
        )
        return credential.get_token(MONITOR).token

    file.write_text(service_account(WORLD["subject"]))
    assert token()
    file.write_text(service_account("system:serviceaccount:foretide:somebody"))
    refused(ClientAuthenticationError, token, "AADSTS700213")
    file.write_text(service_account(WORLD["subject"], -1000))
    refused(ClientAuthenticationError, token, "AADSTS700024")
    file.write_text("this is no token")
    refused(ClientAuthenticationError, token, "AADSTS50027")


def a_managed_identity():
    # the library fixes this variable's use of plain HTTP, as IMDS has no TLS
    os.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = WORLD["http"]
    assert ManagedIdentityCredential().get_token(MONITOR).token
    named = ManagedIdentityCredential(client_id=WORLD["managed_client_id"])
    assert named.get_token(MONITOR).token
    refused(
        (CredentialUnavailableError, ClientAuthenticationError),
        lambda: ManagedIdentityCredential(client_id=str(uuid.uuid4())).get_token(MONITOR),
    )


def the_environment_chooses():
    (FOLDER / "azure-identity-token").write_text(service_account(WORLD["subject"]))
    injected = {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_FEDERATED_TOKEN_FILE": str(FOLDER / "azure-identity-token"),
        "AZURE_AUTHORITY_HOST": HTTPS,
    }
    os.environ.update(injected)
    try:
        assert DefaultAzureCredential(**PRIVATE).get_token(MONITOR).token
    finally:
        for name in injected:
            del os.environ[name]


def rows(how_many, name):
    return [
        {
            "TimeGenerated": datetime.datetime.now(datetime.timezone.utc).isoformat(),
            "Name": name,
            "Count": number,
            "Detail": {"number": number},
            "Undeclared": "is dropped",
        }
        for number in range(how_many)
    ]


def uploader(credential=None):
    return LogsIngestionClient(HTTPS, credential or secret_credential())


def uploads():
    client = uploader()
    client.upload(RULE, STREAM, rows(3, "few"))
    # several calls, filled as the library fills them
    client.upload(RULE, STREAM, rows(15000, "many"))
    refused(
        ResourceNotFoundError,
        lambda: client.upload("dcr-" + "f" * 32, STREAM, rows(1, "lost")),
        "NotFound",
    )
    refused(
        HttpResponseError,
        lambda: client.upload(RULE, "Custom-Unknown", rows(1, "lost")),
        "InvalidStream",
    )
    too_large = refused(
        HttpResponseError,
        lambda: client.upload(RULE, STREAM, io.BytesIO(b"[" + b" " * 2_000_000 + b"]")),
    )
    assert too_large.status_code == 413
    failed = []
    fault("/dataCollectionRules/", {"status": 400, "body": {"error": {"code": "Bad"}}})
    client.upload(RULE, STREAM, rows(2, "refused"), on_error=failed.append)
    assert [row["Name"] for row in failed[0].failed_logs] == ["refused", "refused"]


def uploads_meet_faults():
    client = uploader()
    fault("/dataCollectionRules/", {"throttle_seconds": 1})
    begun = time.monotonic()
    client.upload(RULE, STREAM, rows(1, "throttled"))
    assert time.monotonic() - begun >= 1, "the library waits as it is told"
    # the caller cannot know that the first call was heard; whoever sends again has the rows twice
    fault("/dataCollectionRules/", {"drop_response": True})
    refused(ServiceResponseError, lambda: client.upload(RULE, STREAM, rows(1, "answer lost")))
    client.upload(RULE, STREAM, rows(1, "answer lost"))
    fault("/dataCollectionRules/", {"duplicate_rows": 2})
    client.upload(RULE, STREAM, rows(1, "thrice"))
    # so late that nobody sees it here
    fault("/dataCollectionRules/", {"late_rows_ms": 3_600_000})
    client.upload(RULE, STREAM, rows(1, "late"))


def reader(**changes):
    given = {"credential": secret_credential(), "endpoint": HTTPS, "audience": LOGS}
    return LogsQueryClient(**{**given, **changes})


def counts(client, timespan=None):
    query = f"{TABLE} | summarize Rows = count() by Name"
    result = client.query_workspace(WORKSPACE, query, timespan=timespan)
    assert isinstance(result, LogsQueryResult), result
    assert result.tables[0].columns == ["Name", "Rows"]
    return {row["Name"]: row["Rows"] for row in result.tables[0].rows}


def queries_see_what_was_uploaded():
    wanted = {"few": 3, "many": 15000, "throttled": 1, "answer lost": 2, "thrice": 3}
    client = reader()
    deadline = time.monotonic() + 60
    while (seen := counts(client)) != wanted:
        assert time.monotonic() < deadline, f"{seen} is not {wanted}"
        time.sleep(0.2)
    assert counts(client, datetime.timedelta(days=1)) == wanted
    long_ago = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    assert counts(client, (long_ago, datetime.timedelta(days=1))) == {}

    query = f"{TABLE} | where Name == 'few' | sort by Count asc | project TimeGenerated, Count, Detail"
    result = client.query_workspace(WORKSPACE, query, timespan=None, include_statistics=True, server_timeout=60)
    table = result.tables[0]
    assert table.columns_types == ["datetime", "long", "dynamic"], table.columns_types
    assert isinstance(table.rows[0]["TimeGenerated"], datetime.datetime)
    assert json.loads(table.rows[2]["Detail"]) == {"number": 2}
    assert result.statistics["query"]["executionTime"] > 0
    schema = client.query_workspace(WORKSPACE, f"{TABLE} | getschema", timespan=None)
    assert "Undeclared" not in [row["ColumnName"] for row in schema.tables[0].rows]

    resource = f"/subscriptions/{uuid.uuid4()}/resourceGroups/rg/providers/Microsoft.OperationalInsights/workspaces/ws"
    by_resource = client.query_resource(resource, f"{TABLE} | count", timespan=None)
    assert by_resource.tables[0].rows[0][0] == sum(wanted.values())
    # tokens for the service's own address serve as well, as in each cloud
    assert counts(reader(audience=HTTPS)) == wanted


def queries_meet_refusals():
    client = reader()
    bad = refused(
        HttpResponseError,
        lambda: client.query_workspace(WORKSPACE, f"{TABLE} | where", timespan=None),
        "BadArgumentError",
    )
    assert bad.status_code == 400
    assert bad.error.innererror["code"] == "SyntaxError", bad.error.innererror
    unknown = refused(
        HttpResponseError,
        lambda: client.query_workspace(WORKSPACE, "NoSuchTable | count", timespan=None),
        "NoSuchTable",
    )
    assert unknown.error.innererror["code"] == "SemanticError"
    missing = refused(
        HttpResponseError,
        lambda: client.query_workspace("no-guid", f"{TABLE} | count", timespan=None),
        "PathNotFoundError",
    )
    assert missing.status_code == 404
    wrong = refused(
        HttpResponseError,
        lambda: counts(reader(audience="https://monitor.azure.com")),
        "InvalidAuthenticationTokenAudience",
    )
    assert wrong.status_code == 403


def queries_meet_faults():
    client = reader()
    fault("/v1/workspaces/", {"partial_rows": 2})
    partial = client.query_workspace(WORKSPACE, f"{TABLE} | project Name", timespan=None)
    assert isinstance(partial, LogsQueryPartialResult), partial
    assert len(partial.partial_data[0].rows) == 2
    assert partial.partial_error.code == "PartialError"
    fault("/v1/workspaces/", {"throttle_seconds": 1}, times=2)
    begun = time.monotonic()
    counts(client)
    assert time.monotonic() - begun >= 2, "the library waits as it is told"
    fault("/v1/workspaces/", {"status": 503}, times=1)
    counts(client)
    fault("/v1/workspaces/", {"throttle_seconds": 0}, times=10)
    given_up = refused(HttpResponseError, lambda: counts(client), "TooManyRequests")
    assert given_up.status_code == 429
    control("DELETE", "/_emulator/faults")


def batches():
    answers = reader().query_batch(
        [
            LogsBatchQuery(WORKSPACE, f"{TABLE} | where Name == 'few' | count", timespan=None),
            LogsBatchQuery(WORKSPACE, "NoSuchTable | count", timespan=datetime.timedelta(days=1)),
        ]
    )
    assert answers[0].tables[0].rows[0][0] == 3
    assert isinstance(answers[1], LogsQueryError) and answers[1].code == "BadArgumentError"


def the_control_plane():
    client = SecurityInsights(secret_credential(), WORLD["subscription"], base_url=HTTPS)
    place = (WORLD["resource_group"], WORLD["workspace_name"])
    identity = str(uuid.uuid4())
    incident = sentinel.Incident(title="A forecast surge", severity="High", status="New")
    made = client.incidents.create_or_update(*place, identity, incident)
    assert made.name == identity and made.incident_number > 0
    read = client.incidents.get(*place, identity)
    assert (read.title, read.etag) == ("A forecast surge", made.etag)
    read.status = "Active"
    changed = client.incidents.create_or_update(*place, identity, read)
    assert changed.status == "Active" and changed.etag != made.etag
    stale = refused(
        HttpResponseError,
        lambda: client.incidents.create_or_update(*place, identity, read),
        "Newer version of resource",
    )
    assert isinstance(stale, ResourceExistsError) and stale.status_code == 409
    comment = sentinel.IncidentComment(message="Expected between 18:00 and 22:00.")
    client.incident_comments.create_or_update(*place, identity, str(uuid.uuid4()), comment)
    comments = list(client.incident_comments.list(*place, identity))
    assert [each.message for each in comments] == ["Expected between 18:00 and 22:00."]

    for number in range(4):
        more = sentinel.Incident(title=f"Incident {number}", severity="Low", status="New")
        client.incidents.create_or_update(*place, str(uuid.uuid4()), more)
    pages = list(client.incidents.list(*place, top=2).by_page())
    assert [len(list(page)) for page in pages[:2]] == [2, 2] and len(pages) >= 3
    high = list(client.incidents.list(*place, filter="properties/severity eq 'High'"))
    assert [each.name for each in high] == [identity]

    refused(ResourceNotFoundError, lambda: client.incidents.get(*place, str(uuid.uuid4())))
    fault("/subscriptions/", {"etag_conflict": True})
    refused(
        ResourceExistsError,
        lambda: client.incidents.create_or_update(*place, identity, changed),
        "Conflict",
    )
    fault("/subscriptions/", {"throttle_seconds": 1})
    assert client.incidents.get(*place, identity).name == identity
    client.incidents.delete(*place, identity)
    refused(ResourceNotFoundError, lambda: client.incidents.get(*place, identity))


STORIES = [
    a_client_secret,
    a_certificate,
    a_workload_identity,
    a_managed_identity,
    the_environment_chooses,
    uploads,
    uploads_meet_faults,
    queries_see_what_was_uploaded,
    queries_meet_refusals,
    queries_meet_faults,
    batches,
    the_control_plane,
]

for story in STORIES:
    begun = time.monotonic()
    story()
    print(f"{story.__name__} ({time.monotonic() - begun:.1f} s)", flush=True)
