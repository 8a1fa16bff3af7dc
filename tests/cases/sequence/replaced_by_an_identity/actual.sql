CREATE TABLE public.t (id serial PRIMARY KEY, n text);
INSERT INTO public.t (n) VALUES ('a'), ('b');
