"""What workflows keeps for its readers: tables, the projection that fills them, and the queries."""
