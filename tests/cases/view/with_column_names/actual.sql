CREATE TABLE public.t (a int, b text);
CREATE VIEW public.w AS SELECT a FROM public.t;
