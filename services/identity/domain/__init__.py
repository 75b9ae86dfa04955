"""The rules of identity: pure deciders, one for each kind of stream."""
