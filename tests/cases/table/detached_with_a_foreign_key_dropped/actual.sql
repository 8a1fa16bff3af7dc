CREATE TABLE public.parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE public.a PARTITION OF public.parts FOR VALUES FROM (1) TO (9);
CREATE TABLE public.notes (part int CONSTRAINT notes_part REFERENCES public.parts (id));
INSERT INTO public.parts VALUES (1);
INSERT INTO public.notes VALUES (1);
