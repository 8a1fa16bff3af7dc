\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE TABLE public.t (
    a integer,
    "where" text
);
ALTER TABLE public.t ADD CONSTRAINT new EXCLUDE USING btree ((("where" || ' WHERE '::text)) WITH =) WITH (fillfactor='70') WHERE ((a > 0));
ALTER TABLE public.t ADD CONSTRAINT plain EXCLUDE USING btree (a WITH =) WITH (fillfactor='60') DEFERRABLE INITIALLY DEFERRED;
COMMIT;
