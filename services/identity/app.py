"""Puts identity together."""

from pathlib import Path

from libs.common.migrate import Schema
from libs.common.service import Service
from libs.common.settings import Settings
from services.identity import expiring, returned_keys
from services.identity.contract import SERVICE
from services.identity.handlers import routers
from services.identity.keystore import KeyStore
from services.identity.parts import Parts
from services.identity.passwords import Hasher
from services.identity.settings import IdentitySettings
from services.identity.subscribers import alarms, asked
from services.identity.sweeping import sweep_for_ever
from services.identity.tables import metadata
from services.identity.views import view

PROJECTIONS = (view, alarms, asked)
SCHEMA = Schema(SERVICE, metadata, Path(__file__).with_name("migrations"), projections=PROJECTIONS)


def parts_of(settings: Settings, own: IdentitySettings) -> Parts:
    keystore = KeyStore(own.keystore_url, settings.kek_bytes)
    service = Service(SERVICE, settings, fetch_key=keystore.fetch, projections=PROJECTIONS)
    parts = Parts(service, own, Hasher(own.pepper_bytes, own.bcrypt_rounds), keystore)
    for router in routers(parts):
        service.include(router)

    async def sweeping() -> None:
        await sweep_for_ever(parts)

    async def look_at_own_log() -> None:
        await returned_keys.apply_own_log(parts)

    async def look_at_ledger() -> None:
        await returned_keys.apply_ledger(parts)

    service.first.append(look_at_own_log)
    service.background.append(look_at_ledger)
    service.lead.append(sweeping)
    service.sweeps += expiring.sweeps(parts)
    return parts


def build(settings: Settings, own: IdentitySettings | None = None) -> Service:
    """The service; `own` is read from the environment when it is not given."""
    if own is None:
        own = IdentitySettings()  # pyright: ignore[reportCallIssue] - read from the environment
    return parts_of(settings, own).service
