\set ON_ERROR_STOP on \set ON_ERROR_ROLLBACK off
\set AUTOCOMMIT on \set SINGLELINE off \encoding UTF8
SET standard_conforming_strings = on;
SET search_path = '';
SET check_function_bodies = off;
SET client_min_messages = warning;

SET lock_timeout = '2s';
SET statement_timeout = 0;
BEGIN;
CREATE SEQUENCE public.messages_id_seq;
CREATE TABLE public.messages (
    id bigint DEFAULT nextval('public.messages_id_seq'::regclass) NOT NULL,
    domain_id uuid NOT NULL,
    slug text
);
ALTER TABLE public.messages ADD CONSTRAINT messages_domain_id_fkey FOREIGN KEY (domain_id) REFERENCES public.domains(id) ON DELETE CASCADE;
ALTER TABLE public.messages ADD CONSTRAINT messages_pkey PRIMARY KEY (id);
ALTER TABLE public.messages ADD CONSTRAINT messages_slug_key UNIQUE (slug);
ALTER SEQUENCE public.messages_id_seq OWNED BY public.messages.id;
COMMIT;
