CREATE TABLE people (id integer PRIMARY KEY, name varchar(20));
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
CREATE FUNCTION old_stamp() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
CREATE TRIGGER renamed AFTER UPDATE OF name ON people FOR EACH ROW WHEN (old.name <> new.name) EXECUTE FUNCTION stamp();
COMMENT ON TRIGGER renamed ON people IS 'stands on a column that gets another type';
CREATE TRIGGER stamped BEFORE INSERT ON people FOR EACH ROW EXECUTE FUNCTION old_stamp();
CREATE VIEW names AS SELECT id, name FROM people;
CREATE TRIGGER written INSTEAD OF INSERT ON names FOR EACH ROW EXECUTE FUNCTION stamp();
COMMENT ON TRIGGER written ON names IS 'comes back with the view';
