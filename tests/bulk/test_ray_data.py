"""Ray that is missing, or does not answer."""

import socket
import sys

import pytest

from distilpose_keras.bulk import ray_data
from distilpose_keras.bulk.ray_data import import_ray, ray_cluster


def test_a_missing_ray_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install .*\[ray\]"):
        import_ray()


@pytest.mark.parametrize("address", ["somewhere", "ray://1.2.3.4:x", ":6379"])
def test_an_address_must_be_one(address):
    pytest.importorskip("ray")
    with pytest.raises(ValueError, match="must be HOST:PORT or auto. Received: "):
        with ray_cluster(address, None):
            pass


def test_a_port_without_a_cluster_is_given_up(monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setattr(ray_data, "ANSWER_SECONDS", 4)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes calls, says nothing
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ValueError, match=f"no Ray cluster answers at {address}"):
            with ray_cluster(address, None):
                pass
    with pytest.raises(ValueError, match="no Ray cluster answers"):  # nobody, now
        with ray_cluster(address, None):
            pass
