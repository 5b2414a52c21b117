"""What alembic runs: one connection, handed over by `store.migrate`, in a transaction that ends there."""

from alembic import context

from habeas.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
