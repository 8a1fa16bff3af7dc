CREATE TYPE public.visit AS (who text, at date);
CREATE TABLE public.visits OF public.visit;
INSERT INTO public.visits VALUES ('ann', '2026-01-01');
CREATE TABLE public.other_visits OF public.visit;
CREATE FUNCTION public.guests() RETURNS SETOF text LANGUAGE plpgsql AS 'BEGIN RETURN QUERY SELECT v.who FROM public.visits AS v; END';
