-- note: policy of_y on archive.f has no effect: row_level_security of the table is off
\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
ALTER TABLE s.a RENAME TO reconcile_old_3296977384b3;
-- hazard blocks-reads: whoever names table s.a with its schema, or has no public on the search_path, fails from then on
ALTER TABLE s.reconcile_old_3296977384b3 SET SCHEMA public;
ALTER TABLE public.reconcile_old_3296977384b3 RENAME TO b;
ALTER TABLE s.c RENAME TO d;
-- hazard blocks-reads: whoever names table s.c with its schema, or has no public on the search_path, fails from then on
ALTER TABLE s.d SET SCHEMA public;
CREATE SCHEMA archive;
-- hazard blocks-reads: whoever names table public.e with its schema, or has no archive on the search_path, fails from then on
-- hazard blocks-reads: function public.first() may still use table public.e under this name, and would fail
ALTER TABLE public.e SET SCHEMA archive;
ALTER TABLE archive.e RENAME TO f;
ALTER SEQUENCE archive.e_id_seq RENAME TO f_id_seq;
ALTER TABLE archive.f RENAME COLUMN x TO y;
ALTER TABLE archive.f RENAME CONSTRAINT e_x_check TO y_positive;
ALTER INDEX archive.e_x RENAME TO f_y;
ALTER POLICY of_owner ON archive.f RENAME TO of_y;
ALTER TABLE public.b RENAME CONSTRAINT a_pkey TO b_pkey;
ALTER TABLE archive.f RENAME CONSTRAINT e_pkey TO f_pkey;
COMMIT;
