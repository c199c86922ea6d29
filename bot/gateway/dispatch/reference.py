"""Requests about contracts: details, option chains, market rules, symbols."""

from bot.gateway.contracts.errors import NoDefinition
from bot.gateway.dispatch.call import Call, Handler, Refused
from bot.gateway.faults import FaultKind, NoFaults
from bot.gateway.protocol.builders import contract_of


def contract_details(call: Call) -> None:
    """Send the details of every contract a description fits."""
    wanted = contract_of(call.values)
    if wanted.sec_type.upper() == "BAG":
        about = {"sec_type": "BAG", "client_id": call.session.client_id}
        if call.parts.faults.strikes(FaultKind.BAG_DETAILS_SILENT, **about):
            return
        raise NoDefinition
    found = call.parts.contracts.find(wanted, call.at)
    if not found:
        raise NoDefinition
    contracts = call.parts.contracts
    if isinstance(call.parts.faults, NoFaults):  # nothing can happen to single messages
        version = call.session.version
        for piece in contracts.details_frames(found, call.req_id, call.at, version):
            call.session.send_frames(piece)
    else:
        for listed in found:
            values = contracts.details(listed, call.at)
            call.send("contractDetails", reqId=call.req_id, **values)
    call.send("contractDetailsEnd", reqId=call.req_id)


def option_params(call: Call) -> None:
    """Send the expirations and strikes of an underlying."""
    underlying = call.parts.contracts.by_con_id(call.values["underConId"])
    if underlying is None:
        text = "Error validating request.-'cc' : cause - Invalid contract id"
        raise Refused(321, text)
    for values in call.parts.contracts.option_params(underlying, call.at):
        call.send("secDefOptParam", reqId=call.req_id, **values)
    call.send("secDefOptParamEnd", reqId=call.req_id)


def matching_symbols(call: Call) -> None:
    """Send contracts whose names are like a pattern."""
    samples = call.parts.contracts.matching(call.values["pattern"])
    call.send("symbolSamples", reqId=call.req_id, samples=samples)


def market_rule(call: Call) -> None:
    """Send the price increments of a rule."""
    rule_id = call.values["ruleId"]
    increments = call.parts.contracts.market_rule(rule_id)
    if increments is None:
        text = f"Error processing request.-'cd' : cause - Invalid market rule id {rule_id}"
        raise Refused(322, text)
    call.send("marketRule", ruleId=rule_id, increments=increments)


HANDLERS: dict[str, Handler] = {
    "reqContractDetails": contract_details,
    "reqSecDefOptParams": option_params,
    "reqMatchingSymbols": matching_symbols,
    "reqMarketRule": market_rule,
}
