CREATE TABLE public.hens (id integer PRIMARY KEY, egg integer);
CREATE TABLE public.eggs (id integer PRIMARY KEY, hen integer REFERENCES public.hens);
ALTER TABLE public.hens ADD CONSTRAINT hens_egg FOREIGN KEY (egg) REFERENCES public.eggs DEFERRABLE;
