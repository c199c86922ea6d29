"""Every module that registers faults: importing this one registers them all."""

from bot.app.simulation import (
    faults_executions,
    faults_link,
    faults_market,
    faults_people,
    faults_storage,
    faults_submit,
)

REGISTERED = (
    faults_submit,
    faults_executions,
    faults_link,
    faults_storage,
    faults_market,
    faults_people,
)
