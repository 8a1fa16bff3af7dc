CREATE TABLE public.t (n int, CONSTRAINT small CHECK (n < 10));
INSERT INTO public.t VALUES (1);
