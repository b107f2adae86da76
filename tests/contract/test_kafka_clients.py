"""Every client of Kafka is made of the same settings: none, of a tool or a test, is left in the clear."""

from tests.contract.source_tree import modules

FOLDERS = ("chassis", "services", "clients", "deploy", "tests")
ADDRESS = "bootstrap" + ".servers"


def test_one_file_says_how_a_broker_is_reached() -> None:
    told = [str(module.path) for folder in FOLDERS for module in modules(folder) if f'"{ADDRESS}"' in module.text]
    assert [path for path in told if not path.startswith("tests/unit/")] == ["chassis/bus/brokers.py"]
