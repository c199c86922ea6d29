"""Memory that survives: tables, ledger, migrations, audit."""
