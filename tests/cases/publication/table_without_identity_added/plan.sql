\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard blocks-writes: every UPDATE and DELETE of public.logs fails once it is published, because nothing identifies its rows: give it a primary key or replica_identity
ALTER PUBLICATION feed ADD TABLE ONLY public.logs, TABLE ONLY public.whole;
COMMIT;
