"""Transport of a fleet: Zenoh, from peer to peer, without a broker and without scouting."""

import importlib.util
import json
from typing import Any

from coterie.errors import ConfigError
from coterie.fleet.frames import Frame, pack
from coterie.fleet.mailbox import Mailbox
from coterie.fleet.plan import Plan
from coterie.internal.extras import install


def require_zenoh() -> None:
    """Raise `ConfigError` if the transport is not installed."""
    if importlib.util.find_spec("zenoh") is None:
        raise ConfigError(f"a fleet needs the package eclipse-zenoh: {install('fleet')}.")


class Link:
    """One process's session: it listens at its own address and connects to its peers'."""

    def __init__(self, plan: Plan, me: int, peers: tuple[int, ...], mailbox: Mailbox):
        require_zenoh()
        import zenoh

        self._run = plan.fingerprint
        self._prefix = f"coterie/{self._run.hex()}"
        config = zenoh.Config.from_json5(json.dumps(_settings(plan, me, peers)))
        try:
            self._session = zenoh.open(config)
        except zenoh.ZError as error:
            raise ConfigError(
                f"{plan.addresses[me]} cannot be listened at ({_reason(error)}): is another "
                "process of this fleet, or of another, still running?"
            ) from None

        def receive(sample: Any) -> None:
            sender = str(sample.key_expr).rsplit("/", 1)[-1]
            mailbox.receive(int(sender), sample.payload.to_bytes())

        self._subscriber = self._session.declare_subscriber(f"{self._prefix}/{me}/*", receive)
        self._publishers = {
            peer: self._session.declare_publisher(
                f"{self._prefix}/{peer}/{me}",
                congestion_control=zenoh.CongestionControl.BLOCK,
                reliability=zenoh.Reliability.RELIABLE,
            )
            for peer in peers
        }

    def send(self, receiver: int, frame: Frame) -> None:
        """Send a frame to a peer."""
        self._publishers[receiver].put(pack(self._run, frame))

    def close(self) -> None:
        """End the session."""
        self._session.close()


def _settings(plan: Plan, me: int, peers: tuple[int, ...]) -> dict[str, Any]:
    addresses = [f"tcp/{plan.addresses[peer]}" for peer in peers]
    return {
        "mode": "peer",
        "scouting": {"multicast": {"enabled": False}, "gossip": {"enabled": False}},
        "listen": {"endpoints": [f"tcp/{plan.addresses[me]}"], "exit_on_failure": True},
        "connect": {
            "endpoints": addresses,
            "timeout_ms": -1,
            "exit_on_failure": False,
            "retry": {"period_init_ms": 100, "period_max_ms": 400},
        },
    }


def _reason(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
