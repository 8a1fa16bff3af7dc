\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.bound (0 bytes) is written anew while nobody can read or write it
-- hazard data-loss: the rows of public.bound will not survive a crash
ALTER TABLE public.bound SET UNLOGGED;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.c (0 bytes) is written anew while nobody can read or write it
-- hazard data-loss: the rows of public.c will not survive a crash
ALTER TABLE public.c SET UNLOGGED;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.x (16,384 bytes) is written anew while nobody can read or write it
ALTER TABLE public.x SET LOGGED;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.new_to_x ADD CONSTRAINT new_to_x_id_fkey FOREIGN KEY (id) REFERENCES public.x(id) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.new_to_x VALIDATE CONSTRAINT new_to_x_id_fkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.y (16,384 bytes) is written anew while nobody can read or write it
ALTER TABLE public.y SET LOGGED;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.z (0 bytes) is written anew while nobody can read or write it
ALTER TABLE public.z SET LOGGED;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard data-loss: table public.dropped is dropped with about 0 rows (0 bytes)
DROP TABLE public.dropped;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.b (24,576 bytes) is written anew while nobody can read or write it
-- hazard data-loss: the rows of public.b will not survive a crash
ALTER TABLE public.b SET UNLOGGED;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.freed DROP CONSTRAINT freed_id_fkey;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
-- hazard table-rewrite: public.a (24,576 bytes) is written anew while nobody can read or write it
-- hazard data-loss: the rows of public.a will not survive a crash
ALTER TABLE public.a SET UNLOGGED;
COMMIT;

SET lock_timeout = '2s';
SET statement_timeout = '30s';
BEGIN;
ALTER TABLE public.bound ADD CONSTRAINT bound_id_fkey FOREIGN KEY (id) REFERENCES public.a(id) NOT VALID;
COMMIT;

SET lock_timeout = 0;
SET statement_timeout = 0;
BEGIN;
ALTER TABLE public.bound VALIDATE CONSTRAINT bound_id_fkey;
COMMIT;
