"""The whole way, as its users go it: a log, examples, a model, measures, completions."""

from qac.data_prep.sample_log import generate

MEASURES = {"n", "mrr@10", "success@1", "success@5", "success@10", "bleu_rr", "coverage"}
KINDS = ("by_prefix_length", "by_previous_query", "by_frequency")


def test_from_a_log_to_completions(tmp_path, run_qac):
    def qac(*argv):
        done = run_qac(*argv)
        assert (done.status, done.err) == (0, ""), done
        return done

    log, data, model = tmp_path / "log.tsv", tmp_path / "data", tmp_path / "my.qac"
    rows = list(generate(sessions=3000))
    log.write_text("".join(f"{user}\t{time}\t{query}\n" for user, time, query in rows), encoding="utf-8")

    prepared = qac("prep", log, "--out", data, "--json").json()
    assert prepared["rows"] == len(rows)
    assert prepared["bad_lines"] == {}
    assert sorted(p.name for p in data.iterdir()) == ["stats.json", "test.jsonl", "train.jsonl", "valid.jsonl"]

    trained = qac("train", data / "train.jsonl", "--out", model, "--quiet", "--json").json()
    assert trained["bytes"] == model.stat().st_size

    arguments = ("--model", model, "--baseline", "mfq", "--baseline", "cooc", "--json", "--quiet")
    systems = qac("eval", data / "test.jsonl", *arguments).json()["systems"]
    assert set(systems) == {"mfq", "cooc", "qac"}
    for report in systems.values():
        assert set(report) > MEASURES | {"seen", "unseen", *KINDS, "latency_us", "model"}
        assert report["n"] == prepared["parts"]["test"]["examples"] > 0
        assert report["n"] == report["seen"]["n"] + report["unseen"]["n"]
        assert all(report["n"] == sum(group["n"] for group in report[kind].values()) for kind in KINDS)
        for group in (report["seen"], report["unseen"], *(g for kind in KINDS for g in report[kind].values())):
            assert set(group) > MEASURES
        assert 0 < report["bootstrap"]["sessions"] < min(prepared["parts"]["test"]["sessions"], report["n"])
        assert 0 < report["mrr@10"] <= report["success@10"] <= report["coverage"] <= 1
        assert 0 < report["latency_us"]["p50"] <= report["latency_us"]["p95"] <= report["latency_us"]["p99"]
    assert systems["qac"]["mrr@10"] > systems["mfq"]["mrr@10"]

    asked = ("complete", "--prev", rows[0][2], "--prefix", "c", "--model", model)
    answers = [completion["text"] for completion in qac(*asked, "--json").json()["completions"]]
    assert len(answers) == len(set(answers)) == 10
    assert all(text.startswith("c") for text in answers)
    assert all(line.startswith(text) for line, text in zip(qac(*asked).out.splitlines(), answers, strict=True))

    inspected = qac("inspect", model, "--json").json()
    assert (inspected["labels"], inspected["bytes"]) == (trained["labels"], trained["bytes"])
    verified = qac("verify", model, "--json").json()
    assert verified["sound"]
    assert verified["fingerprint"] == inspected["fingerprint"]
