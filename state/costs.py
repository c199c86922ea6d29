"""What orders cost beyond the mid they began at: one row a purpose of a decision that traded.

Slippage is what a package cost less what its mid was when its first attempt was sent, in index
points of one package; a cost is > 0, whether the package was bought or sold.
"""

from typing import Final

COSTS: Final = """
WITH errands AS (
    SELECT orders.decision_id, orders.purpose, min(orders.sequence) AS first,
           count(*) AS attempts, sum(states.filled) AS filled
    FROM orders JOIN order_states AS states USING (client_order_id)
    GROUP BY orders.decision_id, orders.purpose
),
traded AS (
    SELECT orders.decision_id, orders.purpose,
           sum(CASE fills.side WHEN 'BUY' THEN 1 ELSE -1 END * fills.quantity * fills.price_micros)
               AS paid_micros,
           max(CASE WHEN substr(fills.symbol, 1, 6) = 'VX    ' THEN 1000 ELSE 100 END)
               AS multiplier,
           sum(fills.commission_usd_micros) AS fees_micros,
           max(fills.executed_at) AS ended_at
    FROM current_fills AS fills JOIN orders USING (client_order_id)
    WHERE fills.quantity > 0
    GROUP BY orders.decision_id, orders.purpose
),
sent AS (
    SELECT orders.decision_id, orders.purpose, min(events.at) AS began_at
    FROM order_events AS events JOIN orders USING (client_order_id)
    WHERE events.status = 'SENDING'
    GROUP BY orders.decision_id, orders.purpose
),
walked AS (
    SELECT orders.decision_id, orders.purpose, count(*) AS steps
    FROM walk_steps JOIN orders USING (client_order_id)
    GROUP BY orders.decision_id, orders.purpose
),
arrived AS (
    SELECT errands.*,
           (SELECT states.arrival_mid_micros
            FROM orders JOIN order_states AS states USING (client_order_id)
            WHERE orders.decision_id = errands.decision_id AND orders.purpose = errands.purpose
              AND states.arrival_mid_micros IS NOT NULL
            ORDER BY orders.attempt LIMIT 1) AS mid_micros
    FROM errands
)
SELECT sent.began_at AS at,
       decisions.session,
       orders.purpose,
       CASE
           WHEN orders.condor_id IS NOT NULL AND orders.effect = 'OPEN' THEN 'condor_entry'
           WHEN orders.condor_id IS NOT NULL AND orders.urgency IN ('PATIENT', 'PASSIVE')
               THEN 'condor_exit'
           WHEN orders.condor_id IS NOT NULL THEN 'condor_stop'
           WHEN orders.effect = 'OPEN' THEN 'hedge_add'
           WHEN orders.urgency = 'URGENT' OR instr(',' || orders.rules || ',', ',G6,')
               OR instr(',' || orders.rules || ',', ',G8,') THEN 'hedge_urgent'
           ELSE 'hedge_reduce'
       END AS class,
       arrived.filled,
       orders.quantity,
       arrived.mid_micros AS arrival_mid_micros,
       CAST(round(1.0 * traded.paid_micros / arrived.filled) AS INTEGER) AS fill_micros,
       CAST(round(1.0 * traded.paid_micros / arrived.filled) AS INTEGER) - arrived.mid_micros
           AS slippage_micros,
       (traded.paid_micros - arrived.mid_micros * arrived.filled) * traded.multiplier
           AS slippage_usd_micros,
       traded.fees_micros AS fees_usd_micros,
       arrived.attempts,
       coalesce(walked.steps, 0) AS steps,
       CAST(round((julianday(traded.ended_at) - julianday(sent.began_at)) * 86400) AS INTEGER)
           AS seconds,
       orders.layer,
       orders.condor_id AS condor,
       orders.rules,
       decisions.plan_id
FROM arrived
JOIN orders ON orders.sequence = arrived.first
JOIN traded ON traded.decision_id = arrived.decision_id AND traded.purpose = arrived.purpose
JOIN sent ON sent.decision_id = arrived.decision_id AND sent.purpose = arrived.purpose
LEFT JOIN walked ON walked.decision_id = arrived.decision_id AND walked.purpose = arrived.purpose
JOIN decisions ON decisions.decision_id = arrived.decision_id
WHERE arrived.filled > 0
  AND (:since IS NULL OR sent.began_at >= :since)
  AND (:until IS NULL OR sent.began_at < :until)
  AND (:layer IS NULL OR orders.layer = :layer)
  AND (:condor IS NULL OR orders.condor_id = :condor)
  AND (:rule IS NULL OR instr(',' || orders.rules || ',', ',' || :rule || ','))
ORDER BY sent.began_at, arrived.first
"""
