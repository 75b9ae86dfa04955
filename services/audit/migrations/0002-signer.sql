-- Who signs reads what is to be signed, and alone writes what was signed; nothing names anybody there.
grant select on trail_heads, audit_leaf, audit_tree to audit_signer;
grant select, insert on checkpoints, digests to audit_signer;
