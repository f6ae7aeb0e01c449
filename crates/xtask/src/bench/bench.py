"""Measures `foretide forecast` and `foretide anomalies` on data that nobody here wrote, and peers
beside them where they can be installed. Called by `cargo xtask bench`, in its own environment.

Every program runs as a child of its own: seconds are wall clock from start to end, reading and
writing included; memory is the child's largest resident set, as the kernel counts it. That count
begins with what the parent holds, so the parent imports nothing large."""

import argparse
import csv
import datetime
import gzip
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

PEERS = {
    "SeasonalNaive24": ("statsforecast", "SeasonalNaive(season_length=24)"),
    "AutoTheta": ("statsforecast", "AutoTheta(season_length=24)"),
    "AutoETS": ("statsforecast", "AutoETS(season_length=24)"),
    "MSTL(24,168)+AutoETS": (
        "statsforecast",
        "MSTL(season_length=[24, 168], trend_forecaster=AutoETS(model='ZZN'))",
    ),
    "Prophet": ("prophet", "daily and weekly seasonality"),
}


def run(line, cores=None):
    """Runs a program to its end: seconds of wall clock, MB, what it printed, seconds of processor."""
    begun = time.monotonic()
    output = open(os.path.join(ARGS.out, "output.txt"), "w+")
    preexec = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    child = subprocess.Popen([str(p) for p in line], stdout=output, stderr=subprocess.STDOUT, preexec_fn=preexec)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.monotonic() - begun
    output.seek(0)
    text = output.read()
    if child.returncode:
        raise RuntimeError(f"{Path(str(line[0])).name} {line[1]} ended with {child.returncode}:\n{text}")
    return seconds, usage.ru_maxrss / 1024, text, usage.ru_utime + usage.ru_stime


def one_core():
    return {sorted(os.sched_getaffinity(0))[0]}


def scored(script, *line):
    _, _, text, _ = run([sys.executable, BENCH / script, *line])
    return json.loads(text.strip().splitlines()[-1])


class Report:
    """Prints tables as they come and keeps them for the file."""

    def __init__(self):
        self.lines, self.figures = [], {}

    def say(self, text=""):
        print(text, flush=True)
        self.lines.append(text)

    def table(self, title, header, rows, key):
        self.figures[key] = [dict(zip(header, row)) for row in rows]
        self.say(f"\n### {title}\n")
        self.say("| " + " | ".join(header) + " |")
        self.say("|" + "---|" * len(header))
        for row in rows:
            self.say("| " + " | ".join(f"{c:.3f}" if isinstance(c, float) else str(c) for c in row) + " |")

    def write(self):
        (ARGS.out / "report.md").write_text("\n".join(self.lines) + "\n")
        (ARGS.out / "report.json").write_text(json.dumps(self.figures, indent=1) + "\n")
        print(f"\nwritten: {ARGS.out / 'report.md'}", flush=True)


def forecast(name, history, *options, cores=None):
    out = ARGS.out / f"{name}.csv"
    line = [ARGS.foretide, "forecast", "--history", history, "--output", out, *options]
    seconds, megabytes, _, processor = run(line, cores)
    return out, seconds, megabytes, processor


def m4():
    folder = BENCH / "m4_hourly"
    train, test = folder / "train.csv.gz", folder / "test.csv.gz"
    ids = series_ids(train)
    ours, seconds, megabytes, processor = forecast("m4", train, "--horizon", "48", "--jobs", "1", cores=one_core())
    score = scored("score.py", "--actuals", test, "--train", train, "--forecasts", ours)
    row = ["foretide", len(ids), score["OWA"], score["sMAPE"], score["MASE"], score["cov80"], score["cov95"],
           score["MSIS"], processor / len(ids), seconds / len(ids), round(megabytes)]
    header = ["model", "series", "OWA", "sMAPE", "MASE", "cov80", "cov95", "MSIS", "CPU s a series", "s a series, one core", "MB"]
    REPORT.table("M4 hourly, 48 h ahead", header, [row], "m4")
    if ARGS.peers:
        m4_peers(train, test, ids, header)


def series_ids(path):
    with gzip.open(path, "rt") as file:
        return list(dict.fromkeys(row["unique_id"] for row in csv.DictReader(file)))


def m4_peers(train, test, ids, header):
    """Peers on a sample, since some take a second a series; Foretide's rows of the same series."""
    step = max(1, len(ids) // ARGS.sample)
    sample = set(ids[::step][: ARGS.sample])
    cut = {}
    for name, path in (("train", train), ("test", test)):
        cut[name] = ARGS.out / f"sample_{name}.csv"
        with gzip.open(path, "rt") as file, open(cut[name], "w") as out:
            out.write(next(file))
            out.writelines(row for row in file if row.split(",", 1)[0] in sample)
    # Foretide alone on the sample, so that the seconds are of the same series.
    alone, seconds, megabytes, processor = forecast("m4_sample", cut["train"], "--horizon", "48", "--jobs", "1", cores=one_core())
    measured = [("foretide", alone, processor, seconds, megabytes)]
    for name, (package, model) in PEERS.items():
        peer = ARGS.out / f"peer_{len(measured)}.csv"
        line = [sys.executable, __file__, "peer", package, model, cut["train"], peer]
        try:
            _, megabytes, text, _ = run(line, one_core())
        except RuntimeError as error:
            REPORT.say(f"\n{name} did not run: {str(error).strip().splitlines()[-1]}")
            continue
        processor, seconds = map(float, text.strip().splitlines()[-1].split()[1:])
        measured.append((name, peer, processor, seconds, megabytes))
    rows = []
    for name, path, processor, seconds, megabytes in measured:
        score = scored("score.py", "--actuals", cut["test"], "--train", cut["train"], "--forecasts", path)
        rows.append([name, len(sample), score["OWA"], score["sMAPE"], score["MASE"], score["cov80"], score["cov95"],
                     score["MSIS"], processor / len(sample), seconds / len(sample), round(megabytes)])
    REPORT.table(f"M4 hourly, peers beside Foretide on {len(sample)} series", header, rows, "m4_peers")
    REPORT.say("\nSeconds of Foretide are those of the whole program; seconds of peers leave out start, imports, "
               "reading, writing and a warm-up on one series.")


def peer(package, model, train, out):
    """Runs in a child of its own, so that its memory is its own."""
    import pandas

    frame = pandas.read_csv(train, parse_dates=["ds"])
    fit = prophet if package == "prophet" else statsforecast
    fit(model, frame[frame.unique_id == frame.unique_id.iloc[0]])
    # Prophet fits in a process of its own, whose time counts too.
    begun, processor = time.monotonic(), sum(os.times()[:4])
    result = fit(model, frame)
    seconds, processor = time.monotonic() - begun, sum(os.times()[:4]) - processor
    result.to_csv(out, index=False)
    print(f"seconds {processor} {seconds}")


def statsforecast(model, frame):
    import statsforecast.models
    from statsforecast import StatsForecast

    made = eval(model, vars(statsforecast.models))
    result = StatsForecast(models=[made], freq="h", n_jobs=1).forecast(df=frame, h=48, level=[80, 95]).reset_index()
    name = next(c[: -len("-lo-80")] for c in result.columns if c.endswith("-lo-80"))
    names = {name: "mean", f"{name}-lo-80": "lo80", f"{name}-hi-80": "hi80", f"{name}-lo-95": "lo95", f"{name}-hi-95": "hi95"}
    return result.rename(columns=names)[["unique_id", "ds", *names.values()]]


def prophet(_, frame):
    import logging

    import pandas
    from prophet import Prophet

    logging.getLogger("cmdstanpy").setLevel(logging.ERROR)
    parts = []
    for unique_id, series in frame.groupby("unique_id", sort=False):
        model = Prophet(daily_seasonality=True, weekly_seasonality=True, uncertainty_samples=300)
        model.fit(series[["ds", "y"]])
        future = model.make_future_dataframe(48, freq="h", include_history=False)
        paths = model.predictive_samples(future)["yhat"]
        part = {"unique_id": unique_id, "ds": future.ds}
        for column, level in (("mean", 50), ("lo80", 10), ("hi80", 90), ("lo95", 2.5), ("hi95", 97.5)):
            part[column] = __import__("numpy").percentile(paths, level, axis=1)
        parts.append(pandas.DataFrame(part))
    return pandas.concat(parts)


def rolling(name, folder, history, cutoffs, title, *options):
    history, cutoffs = folder / history, folder / cutoffs
    ours, seconds, megabytes, processor = forecast(
        name, history, "--cutoffs", cutoffs, "--horizon", "72", "--threshold-sd", "2", *options)
    near = scored("score.py", "--actuals", history, "--train", history, "--forecasts", ours, "--hmax", "24")
    far = scored("score.py", "--actuals", history, "--train", history, "--forecasts", ours)
    risk = scored("highrisk.py", "--history", history, "--forecasts", ours)
    opener = gzip.open if cutoffs.suffix == ".gz" else open
    with opener(cutoffs, "rt") as file:
        origins = sum(1 for _ in file) - 1
    header = ["hours ahead", "MAE", "MASE", "WQL", "WQL macro", "cov80", "cov95", "bias"]
    rows = [[hours, s["MAE"], s["MASE"], s["WQL"], s["WQL_macro"], s["cov80"], s["cov95"], s["bias"]]
            for hours, s in (("1 to 24", near), ("1 to 72", far))]
    REPORT.table(f"{title}, {origins} origins: {seconds:.1f} s, {processor / origins:.4f} CPU s an origin, "
                 f"{round(megabytes)} MB", header, rows, name)
    header = ["high-risk hours", "base rate", "AUROC", "average precision", "Brier", "Brier of the base rate", "AUROC by day"]
    rows = [[hours, r["base"], r["auroc_macro"], r["ap_macro"], r["brier"], r["brier_base"], r["day_auroc"]]
            for hours, r in (("1 to 24", risk["h1_24"]), ("25 to 72", risk["h25_72"]))]
    REPORT.table(f"{title}: hours above the 30-day mean + 2 SD", header, rows, name + "_risk")


def load():
    """As it is, and with the holidays of its country (a Czech provider), which an installation configures."""
    files = (BENCH / "load", "hourly.csv.gz", "cutoffs.csv")
    rolling("load", *files, "Load")
    rolling("load_holidays", *files, "Load, holidays known", "--holidays", "CZ", "--time-zone", "Europe/Prague")


def nab():
    folder = BENCH / "nab"
    out = ARGS.out / "nab.csv"
    seconds, megabytes, said, _ = run([ARGS.foretide, "anomalies", "--history", folder / "data", "--output", out])
    line = ["nab_score.py", "--labels", folder / "labels.json", "--scores", out]
    threshold = next(row.split()[-1] for row in said.splitlines() if row.startswith("an alert begins"))
    default = scored(*line, "--threshold", threshold)
    best = scored(*line)
    header = ["threshold", "standard", "low false positives", "low false negatives", "files", "windows"]
    profiles = ["standard", "reward_low_FP_rate", "reward_low_FN_rate"]
    rows = [[name, *[score[p] for p in profiles], score["files"], score["windows"]]
            for name, score in ((f"the detector's own, {threshold}", default),
                                ("best on these files, as NAB does", best))]
    REPORT.table(f"Numenta Anomaly Benchmark: {seconds:.1f} s, {round(megabytes)} MB", header, rows, "nab")


def large():
    """10,000 series of 90 days, to see that time and memory stay within bounds."""
    path = ARGS.out / "large.csv"
    stamps = [f"{datetime.datetime(2026, 1, 1) + datetime.timedelta(hours=h)}" for h in range(2160)]
    shape = [(2 + 8 * (7 < h % 24 < 19)) * (1 if h // 24 % 7 < 5 else 0.4) for h in range(2160)]
    random.seed(7)
    with open(path, "w") as file:
        file.write("unique_id,ds,y\n")
        for series in range(10_000):
            level = random.lognormvariate(1, 1)
            file.write("".join(f"s{series},{t},{int(level * s * random.expovariate(1) + 0.5)}\n"
                               for t, s in zip(stamps, shape)))
    out, seconds, megabytes, _ = forecast("large_out", path, "--horizon", "72")
    REPORT.table("10,000 series of 90 days, 72 h ahead", ["seconds", "s a series", "MB", "cores"],
                 [[round(seconds, 1), seconds / 10_000, round(megabytes), len(os.sched_getaffinity(0))]], "large")
    path.unlink()
    out.unlink()


def contoso():
    """Without the benchmarks: incidents of the synthetic workspace, counted by hour and severity."""
    counts, last = {}, None
    for path in sorted((ARGS.out / "contoso").rglob("*")):
        if "am-securityincident" not in str(path).lower() or not path.is_file():
            continue
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt") as file:
            for line in file:
                row = json.loads(line)
                hour = row["CreatedTime"][:13]
                counts.setdefault(row["Severity"], {}).setdefault(row["IncidentNumber"], hour)
                last = max(last or hour, hour)
    series = {}
    for severity, incidents in counts.items():
        for hour in incidents.values():
            series.setdefault(severity, {}).setdefault(hour, 0)
            series[severity][hour] += 1
    history = ARGS.out / "contoso.csv"
    with open(history, "w") as file:
        file.write("unique_id,ds,y\n")
        for severity, hours in sorted(series.items()):
            at = datetime.datetime.fromisoformat(min(hours) + ":00")
            while at.isoformat()[:13] <= last:
                file.write(f"{severity},{at},{hours.get(at.isoformat()[:13], 0)}\n")
                at += datetime.timedelta(hours=1)
    seconds, megabytes, text, _ = run([ARGS.foretide, "backtest", "--history", history, "--horizon", "24",
                                    "--origins", "30", "--html", ARGS.out / "contoso.html"])
    REPORT.say(f"\n### Contoso, a synthetic workspace: incidents by severity, {seconds:.1f} s, {round(megabytes)} MB\n")
    REPORT.say(text)


def main():
    parts = {
        "m4": m4,
        "security": lambda: rolling("security", BENCH / "security", "hourly.csv.gz", "cutoffs.csv.gz", "Attack counts"),
        "load": load,
        "nab": nab,
        "large": large,
    }
    if not BENCH.is_dir():
        REPORT.say(f"{BENCH} is not there: measuring on Contoso, the synthetic workspace, instead")
        contoso()
    else:
        for name in ARGS.only.split(","):
            parts[name]()
    REPORT.write()


if __name__ == "__main__":
    if sys.argv[1] == "peer":
        peer(*sys.argv[2:])
        sys.exit()
    parser = argparse.ArgumentParser()
    parser.add_argument("--foretide", type=Path, required=True)
    parser.add_argument("--bench", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", default="m4,security,load,nab")
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--sample", type=int, default=16)
    ARGS = parser.parse_args()
    BENCH = ARGS.bench
    REPORT = Report()
    main()
