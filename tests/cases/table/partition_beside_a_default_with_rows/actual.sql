CREATE TABLE public.sold (year int NOT NULL) PARTITION BY LIST (year);
CREATE TABLE public.sold_rest PARTITION OF public.sold DEFAULT;
INSERT INTO public.sold VALUES (2024), (2025);
CREATE TABLE public.made (year int NOT NULL) PARTITION BY LIST (year);
CREATE TABLE public.made_rest PARTITION OF public.made DEFAULT;
CREATE TABLE public.sold_2027 (year int NOT NULL);
