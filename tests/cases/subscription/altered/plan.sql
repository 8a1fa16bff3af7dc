\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER SUBSCRIPTION prices SET (slot_name = 'other', binary = true, streaming = 'off');
ALTER SUBSCRIPTION prices ENABLE;
ALTER SUBSCRIPTION prices SET PUBLICATION articles, prices WITH (refresh = false);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard stops-replication: nothing reaches this database through subscription without from then on, and the publisher keeps its WAL for the slot kept until it is used again or dropped there
ALTER SUBSCRIPTION without SET (slot_name = NONE, streaming = 'off');
COMMENT ON SUBSCRIPTION without IS 'the slot stays on the publisher';
COMMIT;
