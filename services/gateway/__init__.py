"""The only door in: REST, hooks and the page at `/`; decides nothing, asks one service a route."""
