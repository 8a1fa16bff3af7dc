\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
\getenv RECONCILE_SHOP RECONCILE_SHOP
SELECT E'CREATE SUBSCRIPTION "Odd '' "" name" CONNECTION ' || quote_literal(:'RECONCILE_SHOP') || E' PUBLICATION ":''RECONCILE_SHOP''" WITH (connect = false, create_slot = false, copy_data = false, enabled = false, slot_name = NONE, binary = false, streaming = ''off'', synchronous_commit = ''off'', disable_on_error = false, password_required = true, run_as_owner = false, origin = ''any'', two_phase = false, failover = false)' \gexec
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
\getenv RECONCILE_SHOP RECONCILE_SHOP
SELECT E'CREATE SUBSCRIPTION prices CONNECTION ' || quote_literal(:'RECONCILE_SHOP') || E' PUBLICATION articles, prices WITH (connect = false, create_slot = false, copy_data = false, enabled = false, slot_name = ''prices'', binary = false, streaming = ''on'', synchronous_commit = ''local'', disable_on_error = false, password_required = true, run_as_owner = false, origin = ''any'', two_phase = false, failover = false)' \gexec
COMMENT ON SUBSCRIPTION prices IS 'its slot is created on the publisher later';
COMMIT;
