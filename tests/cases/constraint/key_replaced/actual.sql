CREATE TABLE public.parent (id int CONSTRAINT parent_pkey PRIMARY KEY, code text NOT NULL);
CREATE TABLE public.child (id int CONSTRAINT child_id_fkey REFERENCES public.parent ON DELETE CASCADE);
COMMENT ON CONSTRAINT child_id_fkey ON public.child IS 'whose child';
CREATE TABLE public.parts (id int, at date, CONSTRAINT parts_once UNIQUE (id, at)) PARTITION BY RANGE (at);
CREATE TABLE public.parts_1 PARTITION OF public.parts DEFAULT;
INSERT INTO public.parent SELECT n, n FROM generate_series(1, 100) AS n;
INSERT INTO public.child SELECT id FROM public.parent;
