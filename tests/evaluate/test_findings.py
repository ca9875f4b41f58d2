"""Fourteen findings: precedence, normality, devices, and what a finding's word alone does not say."""

from pathlib import Path

import pytest

from medprefkit.errors import SourceError
from medprefkit.evaluate.findings import FindingLabel, label_findings, macro_f1, score_findings
from medprefkit.measure import OwnText
from medprefkit.measure_findings import describe_labels, label_reports, read_truth, write_labels


def labels(report: str) -> dict[str, FindingLabel]:
    (found,) = label_reports([OwnText("a", report)], detect="lexicon")
    return {name: label for name, label in found.items() if label != "blank"}


def test_the_sample_of_the_label_set() -> None:
    found = labels("Heart size normal and lungs are clear. No edema or pneumonia. No effusion.")
    absent = dict.fromkeys(("Cardiomegaly", "Edema", "Pneumonia", "Pleural Effusion"), "absent")
    assert found == {"No Finding": "present", **absent}
    assert labels("Left pleural effusion with adjacent atelectasis. Cardiomegaly without overt edema.") == {
        "Pleural Effusion": "present", "Atelectasis": "present", "Cardiomegaly": "present", "Edema": "absent",
    }  # fmt: skip
    maybe = labels("Minimal patchy airspace disease within the lingula, may reflect atelectasis or consolidation.")
    assert maybe == {"Lung Opacity": "present", "Atelectasis": "uncertain", "Consolidation": "uncertain"}


def test_present_goes_before_uncertain_before_absent() -> None:
    assert labels("No effusion on the right. Possible left effusion.")["Pleural Effusion"] == "uncertain"
    assert labels("No effusion on the right. Left effusion. Possible loculation.")["Pleural Effusion"] == "present"


def test_devices_and_history() -> None:
    assert labels("Right PICC with tip in the SVC.") == {"Support Devices": "present", "No Finding": "present"}
    assert labels("The endotracheal tube has been removed.")["Support Devices"] == "absent"
    assert "Support Devices" not in labels("Cholecystectomy clips.")
    assert labels("Anterior wedging of T12.").get("Fracture") is None
    assert label_findings(())["No Finding"] == "present"


def test_scores_by_hand() -> None:
    # said on reports 1 and 2, true on 2 and 3: one in common of two and two, P = R = F1 = 0.5
    said = [{**label_findings(()), "Edema": label} for label in ("present", "present", "uncertain")]
    truth = [{"Edema": False}, {"Edema": True}, {"Edema": True}]
    scores = score_findings(said, truth)  # type: ignore[arg-type]  # of literals
    assert scores == {"Edema": (2, 0.5, 0.5, 0.5)}
    assert macro_f1(scores) == 0.5
    assert macro_f1({}) is None
    assert "macro F1" in describe_labels(said, truth)  # type: ignore[arg-type]  # of literals


def test_labels_are_written_and_truth_is_read(tmp_path: Path) -> None:
    texts = [OwnText("a", "Small left effusion."), OwnText("b", "No effusion.")]
    write_labels(tmp_path / "labels.csv", texts, label_reports(texts, detect="lexicon"))
    assert read_truth(tmp_path / "labels.csv", texts)[0]["Pleural Effusion"]
    assert not read_truth(tmp_path / "labels.csv", texts)[1]["Pleural Effusion"]
    with pytest.raises(SourceError, match="1 reports have no row, the first is 'c'"):
        read_truth(tmp_path / "labels.csv", [*texts, OwnText("c", "")])
    (tmp_path / "none.csv").write_text("id,Gout\na,1\n", "utf-8")
    with pytest.raises(SourceError, match="no column is one of the fourteen findings"):
        read_truth(tmp_path / "none.csv", texts)
