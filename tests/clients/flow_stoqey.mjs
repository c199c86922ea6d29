// The whole flow of a trading bot through @stoqey/ib.
// Usage: node flow_stoqey.mjs PORT CLIENT_ID. Prints one JSON document of what was seen.

import { createRequire } from "node:module";

const require = createRequire(process.env.ALVH_NODE_MODULES + "/");
const { EventName, IBApi } = require("@stoqey/ib");

const DEADLINE_MS = 20_000;
const MODEL_GREEKS = 13;
const [port, clientId] = process.argv.slice(2).map(Number);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(condition, what) {
  for (let waited = 0; waited < DEADLINE_MS; waited += 20) {
    if (condition()) return;
    await sleep(20);
  }
  throw new Error(`no ${what}`);
}

function listen() {
  const ib = new IBApi({ host: "127.0.0.1", port, maxReqPerSec: 45 });
  const heard = {
    errors: [], details: {}, chain: [], ticks: {}, greeks: {}, canonical: {}, margin: {},
    status: {}, executions: {}, commission: {}, positions: {}, summary: {}, completed: [],
    bars: {}, ended: new Set(), nextId: 0, accounts: "",
  };
  ib.on(EventName.error, (error, code, id) => heard.errors.push([id, code, error.message]));
  ib.on(EventName.nextValidId, (id) => { heard.nextId = id; });
  ib.on(EventName.managedAccounts, (names) => { heard.accounts = names; });
  ib.on(EventName.contractDetails, (id, d) => (heard.details[id] ??= []).push(d));
  ib.on(EventName.contractDetailsEnd, (id) => heard.ended.add(id));
  ib.on(EventName.securityDefinitionOptionParameter, (id, exchange, under, name, mult, days) =>
    heard.chain.push([name, days]));
  ib.on(EventName.securityDefinitionOptionParameterEnd, (id) => heard.ended.add(id));
  ib.on(EventName.tickPrice, (id, type, price) => { heard.ticks[`${id} ${type}`] = price; });
  ib.on(EventName.tickOptionComputation, (id, type, attrib, vol, delta) => {
    if (type === MODEL_GREEKS) heard.greeks[id] = [vol, delta];
  });
  ib.on(EventName.openOrder, (id, contract, order, state) => {
    heard.canonical[id] = contract;
    if (order.whatIf) heard.margin[id] = state.initMarginChange;
  });
  ib.on(EventName.orderStatus, (id, status) => { heard.status[id] = status; });
  ib.on(EventName.execDetails, (id, contract, execution) =>
    (heard.executions[id] ??= []).push([contract.secType, execution]));
  ib.on(EventName.execDetailsEnd, (id) => heard.ended.add(id));
  ib.on(EventName.commissionReport, (r) => { heard.commission[r.execId] = r.commission; });
  ib.on(EventName.position, (account, contract, size) => {
    heard.positions[contract.conId] = Number(size);
  });
  ib.on(EventName.positionEnd, () => heard.ended.add("positions"));
  ib.on(EventName.accountSummary, (id, account, tag, value) => { heard.summary[tag] = value; });
  ib.on(EventName.accountSummaryEnd, (id) => heard.ended.add(id));
  ib.on(EventName.completedOrder, (contract, order) => heard.completed.push(order.orderRef));
  ib.on(EventName.completedOrdersEnd, () => heard.ended.add("completed"));
  ib.on(EventName.historicalData, (id, time) => {
    if (String(time).startsWith("finished")) heard.ended.add(id);
    else (heard.bars[id] ??= []).push(time);
  });
  return [ib, heard];
}

async function connect() {
  const [ib, heard] = listen();
  ib.connect(clientId);
  await until(() => heard.nextId > 0 && heard.accounts, "start of the API");
  return [ib, heard];
}

const limit = (action, totalQuantity, lmtPrice, orderRef) =>
  ({ action, totalQuantity, lmtPrice, orderRef, orderType: "LMT", tif: "DAY", transmit: true });
const ascending = (one, two) => one - two;
const cents = (price) => Math.round(price * 100) / 100;

async function flow() {
  const seen = {};
  let [ib, heard] = await connect();
  seen.server_version = ib.serverVersion;
  seen.accounts = heard.accounts.split(",").filter(Boolean);

  const details = async (id, contract) => {
    ib.reqContractDetails(id, { currency: "USD", ...contract });
    await until(() => heard.ended.has(id), `contract details ${id}`);
    return heard.details[id] ?? [];
  };
  const [{ contract: spx }] = await details(1, { symbol: "SPX", secType: "IND", exchange: "CBOE" });
  ib.reqMktData(2, spx, "", false, false);
  await until(() => heard.ticks["2 4"] > 0, "print of SPX");
  const level = (seen.spx = heard.ticks["2 4"]);

  ib.reqSecDefOptParams(3, "SPX", "", "IND", spx.conId);
  await until(() => heard.ended.has(3), "chains");
  const named = heard.chain.filter(([name]) => name === "SPXW");
  const expirations = [...new Set(named.flatMap(([, days]) => days))].sort();
  const expiry = expirations[Math.min(12, expirations.length - 1)];
  const terms = {
    symbol: "SPX", secType: "OPT", exchange: "SMART", tradingClass: "SPXW",
    lastTradeDateOrContractMonth: expiry,
  };
  const series = await details(4, terms);
  seen.series = series.length;
  const strikes = [...new Set(series.map((d) => d.contract.strike))].sort(ascending);
  const puts = strikes.filter((strike) => strike < 0.96 * level);
  const calls = strikes.filter((strike) => strike > 1.03 * level);
  const wanted = [[puts.at(-3), "P"], [puts.at(-1), "P"], [calls[0], "C"], [calls[2], "C"]];
  const legs = wanted.map(([strike, right]) => series.find(
    (d) => d.contract.strike === strike && d.contract.right === right).contract);
  const [one] = await details(5, { ...terms, strike: wanted[1][0], right: "P" });
  seen.qualified = one.contract.localSymbol;
  seen.is_the_same = one.contract.conId === legs[1].conId;
  const futures = await details(6, {
    symbol: "VIX", secType: "FUT", exchange: "CFE", tradingClass: "VX",
  });
  const months = futures.map((d) => Number(d.contract.lastTradeDateOrContractMonth.slice(0, 8)));
  months.sort(ascending);
  seen.futures = months.length;
  seen.futures_ascend = months.every((month, i) => i === 0 || months[i - 1] < month);

  const ids = [10, 11, 12, 13];
  ids.forEach((id, i) => ib.reqMktData(id, legs[i], "", false, false));
  await until(() => ids.every((id) => heard.ticks[`${id} 1`] > 0 && heard.ticks[`${id} 2`] > 0),
    "quotes of four legs");
  await until(() => ids.every((id) => heard.greeks[id]), "greeks of four legs");
  seen.implied_vols = ids.map((id) => heard.greeks[id][0]);
  seen.deltas = ids.map((id) => heard.greeks[id][1]);

  const signs = [1, -1, -1, 1];
  const bag = {
    symbol: "SPX", secType: "BAG", exchange: "SMART", currency: "USD",
    comboLegs: legs.map((leg, i) => ({
      conId: leg.conId, ratio: 1, action: signs[i] > 0 ? "BUY" : "SELL", exchange: "SMART",
    })),
  };
  const sum = ids.reduce((total, id, i) =>
    total + signs[i] * heard.ticks[`${id} ${signs[i] > 0 ? 2 : 1}`], 0);
  const natural = Math.round(sum / 0.05) * 0.05;

  const trialId = heard.nextId;
  ib.placeOrder(trialId, bag,
    { ...limit("BUY", 2, cents(natural - 2), "flow-what-if"), whatIf: true });
  await until(() => heard.margin[trialId] !== undefined, "margin of a what-if");
  seen.what_if_margin = Number(heard.margin[trialId]);

  const condorId = trialId + 1;
  const condor = limit("BUY", 2, cents(natural - 2), "flow-condor");
  ib.placeOrder(condorId, bag, condor);
  const live = ["Submitted", "PreSubmitted"];
  await until(() => live.includes(heard.status[condorId]), "live combo");
  seen.live = heard.status[condorId];
  condor.lmtPrice = cents(natural + 0.2);
  ib.placeOrder(condorId, heard.canonical[condorId], condor);
  await until(() => heard.status[condorId] === "Filled", "filled combo");
  const executions = () => (heard.executions[-1] ?? [])
    .filter(([kind, e]) => kind === "OPT" && e.orderId === condorId).map(([, e]) => e);
  await until(() => executions().length >= 4
    && executions().every((e) => heard.commission[e.execId] !== undefined),
  "executions and commissions of the legs");
  seen.leg_executions = executions().length;
  seen.commission = executions().reduce((total, e) => total + heard.commission[e.execId], 0);
  seen.references = [...new Set(executions().map((e) => e.orderRef))];

  const restId = condorId + 1;
  ib.placeOrder(restId, legs[1], limit("BUY", 1, 0.05, "flow-rest"));
  await until(() => heard.status[restId] === "Submitted", "resting order");
  ib.cancelOrder(restId, "");
  await until(() => heard.status[restId] === "Cancelled", "cancel");
  seen.cancelled = heard.status[restId];

  ib.reqPositions();
  await until(() => heard.ended.has("positions"), "positions");
  seen.positions = Object.values(heard.positions).sort(ascending);
  ib.reqAccountSummary(20, "All", "NetLiquidation,TotalCashValue");
  await until(() => heard.ended.has(20), "account summary");
  seen.net_liquidation = Number(heard.summary.NetLiquidation);
  ib.reqExecutions(21, {});
  await until(() => heard.ended.has(21), "executions");
  seen.executions = heard.executions[21].length;
  ib.reqCompletedOrders(false);
  await until(() => heard.ended.has("completed"), "completed orders");
  seen.completed = heard.completed.sort();
  ib.reqHistoricalData(22, spx, "", "5 D", "1 day", "TRADES", 1, 1, false);
  await until(() => heard.ended.has(22), "daily bars");
  seen.daily_bars = heard.bars[22].length;
  ib.disconnect();
  const errors = heard.errors;

  await sleep(200);
  [ib, heard] = await connect();
  ib.reqPositions();
  await until(() => heard.ended.has("positions"), "positions after the reconnect");
  seen.positions_after_reconnect = Object.values(heard.positions).sort(ascending);
  ib.reqExecutions(1, {});
  await until(() => heard.ended.has(1), "executions after the reconnect");
  seen.executions_after_reconnect = heard.executions[1].length;
  ib.disconnect();
  seen.errors = [...errors, ...heard.errors].filter(([, code]) => code < 2100 || code >= 2200);
  return seen;
}

flow().then((seen) => {
  console.log(JSON.stringify(seen));
  process.exit(0);
}, (failure) => {
  console.error(failure);
  process.exit(1);
});
