import numpy as np
import torch

import utils

class Appr(object):
    def __init__(self,model,nepochs=100,sbatch=64,lr=0.05,args=None):
        self.model=model
        self.nepochs,self.sbatch,self.lr=nepochs,sbatch,lr
        self.smax=50
        self.mask_pre=None
        self.ce=torch.nn.CrossEntropyLoss()
        utils.set_req_grad(model.fc1,True)

    def train(self,t,xtrain,ytrain,xvalid,yvalid,args):
        assert args.seed==0
        task=torch.LongTensor([t]).to(xtrain.device)
        optimizer=torch.optim.SGD(self.model.parameters(),lr=self.lr)
        for e in range(self.nepochs):
            self.model.train()
            for i in range(0,len(xtrain),self.sbatch):
                s=(self.smax-1/self.smax)*i/len(xtrain)+1/self.smax
                outputs,masks=self.model.forward(task,xtrain[i:i+self.sbatch],s=s)
                loss=self.ce(outputs[t],ytrain[i:i+self.sbatch])
                optimizer.zero_grad()
                loss.backward()
                if t>0:
                    for n,p in self.model.named_parameters():
                        vals=self.model.get_view_for(n,self.mask_pre)
                        if vals is not None:
                            p.grad.data*=1-vals.data.view_as(p)
                optimizer.step()
        mask=[m.data.clone() for m in self.model.mask(task,s=self.smax)]
        self.mask_pre=mask if t==0 else [torch.max(a,b) for a,b in zip(self.mask_pre,mask)]

    def eval(self,t,x,y):
        self.model.eval()
        outputs,_=self.model.forward(torch.LongTensor([t]).to(x.device),x,s=self.smax)
        return self.ce(outputs[t],y),(outputs[t].max(1)[1]==y).float().mean()
