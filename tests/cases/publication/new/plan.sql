\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert');
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE PUBLICATION nothing_yet;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE PUBLICATION plain FOR TABLE ONLY public.customers, TABLE ONLY public.orders;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE PUBLICATION "some" FOR TABLE ONLY public.customers, TABLE ONLY public.orders (id, total) WHERE ((total > (0)::numeric)) WITH (publish_via_partition_root = true);
COMMENT ON PUBLICATION "some" IS 'for the warehouse';
COMMIT;
