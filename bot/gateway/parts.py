"""What a gateway is put together from; requests are answered out of these."""

from dataclasses import dataclass, field

from bot.exchange.exchange import Exchange
from bot.gateway.account_feed import AccountFeed
from bot.gateway.accounts import AccountBook
from bot.gateway.agenda import Agenda
from bot.gateway.contracts.book import ContractBook
from bot.gateway.faults import Faults
from bot.gateway.feed.feed import MarketDataFeed
from bot.gateway.kept_bars import KeptBars
from bot.gateway.roster import Roster
from bot.gateway.session import Session
from bot.gateway.settings import GatewaySettings
from bot.gateway.stand_ins.desk import StandInDesk
from bot.gateway.weather import Weather


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The parts of one gateway."""

    exchange: Exchange
    contracts: ContractBook
    desk: StandInDesk
    feed: MarketDataFeed
    kept_bars: KeptBars
    accounts: AccountBook
    roster: Roster
    weather: Weather
    agenda: Agenda
    faults: Faults
    settings: GatewaySettings
    account_feeds: dict[Session, AccountFeed] = field(default_factory=dict)

    @property
    def account_id(self) -> str:
        """The one account there is."""
        return self.exchange.account_id

    def account_feed(self, session: Session) -> AccountFeed:
        """Return a client's account subscriptions."""
        if session not in self.account_feeds:
            self.account_feeds[session] = AccountFeed(
                session,
                self.accounts,
                self.contracts,
                account_id=self.account_id,
                every=self.settings.account_every,
            )
        return self.account_feeds[session]

    def forget(self, session: Session) -> None:
        """Forget a client everywhere."""
        self.account_feeds.pop(session, None)
        self.feed.drop(session)
        self.kept_bars.drop(session)
