\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_e779698eb067 ON public.c USING btree (email);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.d DROP CONSTRAINT d_email_fkey;
ALTER TABLE public.c DROP CONSTRAINT c_email;
ALTER INDEX public.reconcile_e779698eb067 RENAME TO c_email;
ALTER TABLE public.d ADD CONSTRAINT d_email_fkey FOREIGN KEY (email) REFERENCES public.c(email) NOT VALID;
COMMENT ON CONSTRAINT d_email_fkey ON public.d IS 'reconcile is about to validate this again. ';
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_700fbc44691b ON public.p1 (email, id);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP INDEX public.p_key;
ALTER TABLE public.p1 ADD CONSTRAINT p1_email_id_key UNIQUE USING INDEX reconcile_700fbc44691b;
ALTER TABLE public.p ADD CONSTRAINT p_key UNIQUE (email, id);
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
CREATE UNIQUE INDEX reconcile_ae3f8128b5d1 ON ONLY public.pc USING btree (email, id);
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_87c324a9eb55 ON public.pc1 USING btree (email, id);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER INDEX public.reconcile_ae3f8128b5d1 ATTACH PARTITION public.reconcile_87c324a9eb55;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.pc DROP CONSTRAINT pc_key;
ALTER INDEX public.reconcile_ae3f8128b5d1 RENAME TO pc_key;
ALTER INDEX public.reconcile_87c324a9eb55 RENAME TO pc1_email_id_idx;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_728c04315cdc ON public.u (code);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.u REPLICA IDENTITY DEFAULT;
DROP INDEX public.u_code;
ALTER TABLE public.u ADD CONSTRAINT u_code UNIQUE USING INDEX reconcile_728c04315cdc;
ALTER TABLE public.u REPLICA IDENTITY USING INDEX u_code;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_74fd4fb10194 ON public.u (email);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
DROP INDEX public.u_email;
ALTER TABLE public.u ADD CONSTRAINT u_email UNIQUE USING INDEX reconcile_74fd4fb10194;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
CREATE UNIQUE INDEX CONCURRENTLY reconcile_d1a786c1bcf7 ON public.u (uid);

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.u DROP CONSTRAINT u_once;
ALTER TABLE public.u ADD CONSTRAINT u_pkey PRIMARY KEY USING INDEX reconcile_d1a786c1bcf7;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.d VALIDATE CONSTRAINT d_email_fkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
COMMENT ON CONSTRAINT d_email_fkey ON public.d IS NULL;
COMMIT;
