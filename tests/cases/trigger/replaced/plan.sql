\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP TRIGGER balanced ON public.orders;
CREATE CONSTRAINT TRIGGER balanced AFTER INSERT OR UPDATE ON public.orders DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.check_total();
COMMENT ON TRIGGER balanced ON public.orders IS 'totals agree';
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE TRIGGER changes AFTER UPDATE ON public.orders REFERENCING OLD TABLE AS before NEW TABLE AS after FOR EACH STATEMENT EXECUTE FUNCTION public.note();
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE OR REPLACE TRIGGER noted BEFORE INSERT OR UPDATE OF state, total ON public.orders FOR EACH ROW WHEN (new.state <> 'draft'::text) EXECUTE FUNCTION public.note('orders');
ALTER TABLE public.orders DISABLE TRIGGER noted;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.orders ENABLE ALWAYS TRIGGER silent;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP TRIGGER gone ON public.orders;
COMMIT;
