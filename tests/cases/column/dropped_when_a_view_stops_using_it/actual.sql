CREATE TABLE public.t (id int, gone text);
CREATE VIEW public.v AS SELECT id, gone FROM public.t;
CREATE VIEW public.w AS SELECT id FROM public.v;
