-- What witnesses have signed is written by the signer alone, as all that was signed.
grant select, insert on cosignatures to audit_signer;

-- The lines of an export's checkpoint are those that were there when it was made: it stays what it was.
alter table exports add column if not exists cosigned text not null default '';
