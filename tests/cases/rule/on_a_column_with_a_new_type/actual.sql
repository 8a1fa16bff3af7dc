CREATE TABLE items (id integer, name varchar(10));
CREATE TABLE items_log (name text);
CREATE RULE logged AS ON UPDATE TO items WHERE old.name <> new.name DO ALSO INSERT INTO items_log VALUES (old.name);
COMMENT ON RULE logged ON items IS 'comes back';
ALTER TABLE items ENABLE ALWAYS RULE logged;
