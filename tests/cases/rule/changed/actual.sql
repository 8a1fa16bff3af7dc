CREATE TABLE items (id integer PRIMARY KEY, name text, active boolean);
CREATE TABLE items_log (id integer, name text);
CREATE VIEW active_items AS SELECT id, name FROM items WHERE active;
CREATE RULE logged AS ON INSERT TO items DO ALSO INSERT INTO items_log (id) VALUES (new.id);
COMMENT ON RULE logged ON items IS 'kept when it is replaced';
CREATE RULE guarded AS ON DELETE TO items DO INSTEAD NOTHING;
CREATE RULE gone AS ON UPDATE TO items DO ALSO NOTHING;
