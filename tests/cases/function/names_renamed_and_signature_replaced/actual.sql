CREATE TABLE old_orders (id integer PRIMARY KEY, amount integer, seen timestamp);
CREATE FUNCTION helper() RETURNS integer LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION total() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT sum(amount) FROM old_orders';
CREATE FUNCTION amount() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN helper(); END';
CREATE FUNCTION on_write() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN NEW.amount := 0; RETURN NEW; END';
CREATE TRIGGER write BEFORE INSERT ON old_orders FOR EACH ROW EXECUTE FUNCTION on_write();
CREATE FUNCTION followed() RETURNS bigint LANGUAGE sql
    BEGIN ATOMIC SELECT count(amount) FROM old_orders; END;
CREATE FUNCTION private(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
REVOKE EXECUTE ON FUNCTION private(integer) FROM PUBLIC;
