CREATE SCHEMA old;
CREATE SCHEMA reports;
CREATE TYPE old.mood AS ENUM ('sad', 'glad');
CREATE DOMAIN old.positive AS integer CHECK (VALUE > 0);
CREATE TYPE old.pair AS (a integer, b integer);
CREATE TYPE old.span AS RANGE (subtype = integer);
CREATE COLLATION old.german (provider = libc, locale = 'C');
CREATE SEQUENCE old.numbers;
CREATE TABLE old.persons (
    id serial PRIMARY KEY,
    mood old.mood DEFAULT 'glad',
    age old.positive CHECK (age < 200),
    name text COLLATE old.german UNIQUE,
    number bigint DEFAULT nextval('old.numbers')
);
CREATE INDEX persons_age ON old.persons (age);
CREATE STATISTICS old.aged (dependencies) ON mood, age FROM old.persons;
CREATE VIEW old.adults AS SELECT id, name FROM old.persons WHERE age >= 18;
CREATE MATERIALIZED VIEW old.counted AS SELECT count(*) AS n FROM old.persons;
CREATE FUNCTION old.count_of(old.mood) RETURNS bigint
    LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM old.persons WHERE mood = $1; END;
CREATE FUNCTION old.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER touched BEFORE UPDATE ON old.persons FOR EACH ROW EXECUTE FUNCTION old.touch();
CREATE PROCEDURE old.clear(integer) LANGUAGE sql AS 'DELETE FROM old.persons WHERE id = $1';
CREATE AGGREGATE old.total(integer) (sfunc = int4pl, stype = integer);
CREATE FUNCTION old.same(old.pair, old.pair) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE OPERATOR old.=== (FUNCTION = old.same, LEFTARG = old.pair, RIGHTARG = old.pair);
CREATE OPERATOR FAMILY old.whole USING btree;
CREATE OPERATOR CLASS old.backwards FOR TYPE integer USING btree FAMILY old.whole
    AS OPERATOR 1 >, FUNCTION 1 btint4cmp(integer, integer);
CREATE CONVERSION old.latin FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;
CREATE TEXT SEARCH DICTIONARY old.stems (TEMPLATE = simple);
CREATE TEXT SEARCH CONFIGURATION old.words (COPY = simple);
CREATE TABLE public.pets (owner integer REFERENCES old.persons (id), mood old.mood);
INSERT INTO old.persons (age, name) VALUES (20, 'Anna'), (10, 'Bert');
INSERT INTO public.pets VALUES (1, 'sad');
