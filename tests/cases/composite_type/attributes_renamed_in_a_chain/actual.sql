CREATE TYPE public.pair AS (a int, b text, c date);
CREATE TABLE public.t OF public.pair;
CREATE TABLE public.u (p public.pair);
