CREATE TYPE public.place AS (street text, town text);
CREATE TABLE public.people (id integer PRIMARY KEY, home public.place);
INSERT INTO public.people VALUES (1, ROW('High Street', 'York'));
CREATE VIEW public.towns AS SELECT (home).town FROM public.people;
CREATE TYPE public.visit AS (who text, at date);
CREATE TABLE public.visits OF public.visit;
INSERT INTO public.visits VALUES ('ann', '2026-01-01');
