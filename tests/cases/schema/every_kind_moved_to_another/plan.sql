\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE SCHEMA new;
-- hazard blocks-reads: whoever names function old.count_of(old.mood) with its schema, or has no new on the search_path, fails from then on
ALTER FUNCTION old.count_of(old.mood) SET SCHEMA new;
ALTER FUNCTION new.count_of(old.mood) RENAME TO number_of;
-- hazard blocks-reads: whoever names function old.touch() with its schema, or has no new on the search_path, fails from then on
ALTER FUNCTION old.touch() SET SCHEMA new;
-- hazard blocks-reads: whoever names function old.same(old.pair, old.pair) with its schema, or has no new on the search_path, fails from then on
ALTER FUNCTION old.same(old.pair, old.pair) SET SCHEMA new;
-- hazard blocks-reads: whoever names procedure old.clear(integer) with its schema, or has no new on the search_path, fails from then on
ALTER PROCEDURE old.clear(integer) SET SCHEMA new;
-- hazard blocks-reads: whoever names aggregate old.total(integer) with its schema, or has no new on the search_path, fails from then on
ALTER AGGREGATE old.total(integer) SET SCHEMA new;
ALTER OPERATOR old.=== (old.pair, old.pair) SET SCHEMA new;
ALTER OPERATOR FAMILY old.whole USING btree SET SCHEMA new;
ALTER OPERATOR CLASS old.backwards USING btree SET SCHEMA new;
-- hazard blocks-reads: whoever names enum old.mood with its schema, or has no new on the search_path, fails from then on
ALTER TYPE old.mood SET SCHEMA new;
-- hazard blocks-reads: whoever names domain old.positive with its schema, or has no new on the search_path, fails from then on
ALTER DOMAIN old.positive SET SCHEMA new;
-- hazard blocks-reads: whoever names composite_type old.pair with its schema, or has no new on the search_path, fails from then on
ALTER TYPE old.pair SET SCHEMA new;
ALTER COLLATION old.german SET SCHEMA new;
-- hazard blocks-reads: whoever names table old.persons with its schema, or has no new on the search_path, fails from then on
-- hazard blocks-reads: procedure new.clear(integer) may still use table old.persons under this name, and would fail
ALTER TABLE old.persons SET SCHEMA new;
ALTER STATISTICS old.aged SET SCHEMA new;
-- hazard blocks-reads: whoever names view old.adults with its schema, or has no new on the search_path, fails from then on
ALTER VIEW old.adults SET SCHEMA new;
ALTER VIEW new.adults RENAME TO grown_up;
-- hazard blocks-reads: whoever names materialized_view old.counted with its schema, or has no new on the search_path, fails from then on
ALTER MATERIALIZED VIEW old.counted SET SCHEMA new;
ALTER CONVERSION old.latin SET SCHEMA new;
ALTER TEXT SEARCH DICTIONARY old.stems SET SCHEMA new;
ALTER TEXT SEARCH CONFIGURATION old.words SET SCHEMA new;
-- hazard blocks-reads: whoever names sequence old.numbers with its schema, or has no new on the search_path, fails from then on
ALTER SEQUENCE old.numbers SET SCHEMA new;
COMMIT;
